/** A body whose length is known before it is sent. */
export interface OutgoingBody {
  contentType: string;
  contentLength: number;
  /** From the start, each time it is called: a redirect asks for it again. */
  chunks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}
