import { StateMismatchError } from './servo-policy.js';

/*
 * A saved state of the CNS policy, 40 bytes and 4 for each value (512 for each cluster of the goal):
 *   0   4 bytes    "CNSS"
 *   4   uint32     version, 1
 *   8   32 bytes   fingerprint of weights, goal and clusters
 *   40  float32    the recurrent state, cluster by cluster
 * Numbers are little endian. Values go through unchanged, bit by bit.
 */
const MAGIC = 'CNSS';
const VERSION = 1;
const VERSION_OFFSET = 4;
const FINGERPRINT_OFFSET = 8;
const FINGERPRINT_BYTES = 32;
const VALUES_OFFSET = FINGERPRINT_OFFSET + FINGERPRINT_BYTES;
const BYTES_PER_VALUE = 4;

/** @param fingerprint 32 bytes */
export function encodeCnsState(fingerprint: Uint8Array, values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(VALUES_OFFSET + values.length * BYTES_PER_VALUE);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(VERSION_OFFSET, VERSION, true);
  bytes.set(fingerprint, FINGERPRINT_OFFSET);
  values.forEach((value, i) => view.setFloat32(VALUES_OFFSET + i * BYTES_PER_VALUE, value, true));
  return bytes;
}

/**
 * @param values how many there have to be
 * @throws StateMismatchError
 */
export function decodeCnsState(fingerprint: Uint8Array, bytes: Uint8Array, values: number): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isOurs = bytes.length >= VALUES_OFFSET && Buffer.from(bytes.subarray(0, VERSION_OFFSET)).toString() === MAGIC;
  if (!isOurs || view.getUint32(VERSION_OFFSET, true) !== VERSION) {
    throw new StateMismatchError('This is no saved state of this version of the CNS policy.');
  }
  if (!fingerprint.every((byte, i) => byte === bytes[FINGERPRINT_OFFSET + i])) {
    throw new StateMismatchError('The saved state belongs to another goal or to other weights.');
  }
  if (bytes.length !== VALUES_OFFSET + values * BYTES_PER_VALUE) {
    throw new StateMismatchError('The saved state is cut short.');
  }
  return Float32Array.from({ length: values }, (_, i) => view.getFloat32(VALUES_OFFSET + i * BYTES_PER_VALUE, true));
}
