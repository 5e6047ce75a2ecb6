/** Byte address of a float32 entry of a plane. */
@inline
export function at(plane: usize, index: i32): usize {
  return plane + (<usize>index << 2);
}

/** Index mirrored at the border without repeating the edge pixel (BORDER_REFLECT_101). */
@inline
export function reflect(index: i32, length: i32): i32 {
  if (length === 1) return 0;
  while (index < 0 || index >= length) index = index < 0 ? -index : 2 * length - 2 - index;
  return index;
}
