export interface Dataset {
  id: string;
  userId: string;
  name: string;
  tags: string[];
  createdAt: Date;
  updatedAt: Date;
}

export interface DatasetFilter {
  /** Only datasets that carry all of these. */
  tags: readonly string[];
  limit: number;
  /** Opaque: what the page before gave. */
  cursor: string | undefined;
}
