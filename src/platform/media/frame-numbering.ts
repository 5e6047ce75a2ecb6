/**
 * Numbers the pictures that a decoder gives. In an intact video that is counting. Where pictures were lost to damage,
 * the timestamps of the packets they came in tell how many, so that the pictures after the damage keep their numbers.
 */
export class FrameNumbering {
  private next = 0;
  /** Timestamps of packets whose pictures have not come out yet, in order. */
  private readonly pending: bigint[] = [];
  private isDamaged = false;
  /** The last of the packets that the damage may have hit; undefined when none was waiting. */
  private damagedUntil: bigint | undefined;
  /** Whether each packet so far was one picture with a timestamp. Hidden pictures and single fields are not. */
  private isOneToOne = true;

  /** Call for each packet the decoder is given, except those whose pictures are not to be shown. */
  sent(timestamp: bigint | null): void {
    if (timestamp === null || this.pending.length >= LONGEST_REORDERING) {
      this.isOneToOne = false;
      this.pending.length = 0;
      return;
    }
    let at = this.pending.length;
    while (at > 0 && (this.pending[at - 1] ?? timestamp) > timestamp) at--;
    this.pending.splice(at, 0, timestamp);
  }

  /** Call when a packet could not be decoded or a picture came out broken. */
  damaged(): void {
    this.isDamaged = true;
    this.damagedUntil = this.pending.at(-1);
  }

  /**
   * The number of the picture that has come out, zero for the first of the video.
   * @returns undefined when it cannot be told any more because of damage
   */
  shown(timestamp: bigint | null): number | undefined {
    const skipped = timestamp === null ? 0 : this.takeBefore(timestamp);
    if (this.isDamaged && (timestamp === null || !this.isOneToOne)) return undefined;
    if (this.isDamaged) this.next += skipped;
    else if (skipped > 0 || timestamp === null) this.isOneToOne = false;
    this.isDamaged &&= timestamp !== null && this.damagedUntil !== undefined && timestamp <= this.damagedUntil;
    return this.next++;
  }

  /** Forgets the packets up to a timestamp; @returns how many of them lie before it */
  private takeBefore(timestamp: bigint): number {
    const later = this.pending.findIndex((pending) => pending >= timestamp);
    const before = later === -1 ? this.pending.length : later;
    const isKnown = this.pending[before] === timestamp;
    this.isOneToOne &&= isKnown;
    this.pending.splice(0, before + (isKnown ? 1 : 0));
    return before;
  }
}

/** Decoders hold back 16 pictures at most for reordering, and some more for their threads. */
const LONGEST_REORDERING = 1000;
