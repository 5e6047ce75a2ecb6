/** Byte address of a float32 entry of a plane. */
@inline
export function at(plane: usize, index: i32): usize {
  return plane + (<usize>index << 2);
}
