/** One video or one job. */
export interface QuotedItem {
  frames: number;
  cost: number;
  goalVideoId?: string;
  currentVideoId?: string;
}

export interface Quote {
  cost: number;
  balance: number;
  sufficient: boolean;
  items: readonly QuotedItem[];
}
