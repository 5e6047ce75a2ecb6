import type { PageRequest } from '../../platform/page.js';

export interface Dataset {
  id: string;
  userId: string;
  name: string;
  tags: string[];
  /** Goes up with every change of the dataset or of its videos. */
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface DatasetFilter extends PageRequest {
  /** Only datasets that carry all of these, or any of them. */
  tags: readonly string[];
  match: TagMatch;
}

export type TagMatch = 'all' | 'any';

/** The versions that a change is meant for; null where any will do. */
export type ExpectedVersions = readonly number[] | null;
