import type { PageRequest } from '../../platform/page.js';

export interface Dataset {
  id: string;
  userId: string;
  name: string;
  tags: string[];
  createdAt: Date;
  updatedAt: Date;
}

export interface DatasetFilter extends PageRequest {
  /** Only datasets that carry all of these. */
  tags: readonly string[];
}
