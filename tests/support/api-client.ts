import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Problem } from '../../src/contract/problem.contract.js';

/** An answer, read to its end. */
export interface ApiAnswer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

interface RequestOptions {
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: NonNullable<RequestInit['body']>;
  signal?: AbortSignal;
}

/** Answers of any route, by the members that tests look at. */
export type AnyBody = Record<string, never> & Partial<Problem>;

/** Plain HTTP to one app: every status is an answer, nothing is thrown, nothing is repeated. */
export class ApiClient {
  /** @param nextBaseUrl asked before each request: with several API processes they take turns */
  constructor(
    private readonly nextBaseUrl: () => string,
    readonly token?: string,
  ) {}

  /** @param pathname with its leading slash, e.g. `/api/dataset` */
  async request<Body = AnyBody>(
    method: string,
    pathname: string,
    { headers = {}, json, body, signal }: RequestOptions = {},
  ): Promise<ApiAnswer<Body>> {
    const response = await fetch(`${this.nextBaseUrl()}${pathname}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` }),
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.text();
    const isJson = text !== '' && /[/+]json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Body };
  }

  get<Body = AnyBody>(pathname: string, options?: RequestOptions) {
    return this.request<Body>('GET', pathname, options);
  }

  post<Body = AnyBody>(pathname: string, json?: unknown, headers: Record<string, string> = {}) {
    return this.request<Body>('POST', pathname, { json, headers });
  }

  put<Body = AnyBody>(pathname: string, json?: unknown) {
    return this.request<Body>('PUT', pathname, { json });
  }

  delete<Body = AnyBody>(pathname: string) {
    return this.request<Body>('DELETE', pathname);
  }

  /** A form with the fields `name`, `content`, and `type` if it is given. */
  async upload<Body = AnyBody>(
    datasetId: string,
    file: string | Uint8Array<ArrayBuffer>,
    name = 'a video',
    type?: 'video' | 'zip',
    headers: Record<string, string> = {},
  ) {
    const bytes = typeof file === 'string' ? await readFile(file) : file;
    const form = new FormData();
    form.set('name', name);
    if (type !== undefined) form.set('type', type);
    form.set('content', new Blob([bytes]), typeof file === 'string' ? path.basename(file) : 'file.bin');
    return this.request<Body>('POST', `/api/dataset/${datasetId}/videos`, { body: form, headers });
  }

  async credits(): Promise<number> {
    const { body } = await this.get<{ credits: number }>('/api/user/credits');
    return body.credits;
  }
}
