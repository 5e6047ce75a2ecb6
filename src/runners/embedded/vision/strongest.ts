/** Matching is quadratic: beyond this many the strongest are kept. A 640 x 480 frame has 500 to 3000, seldom 9000. */
export const MAXIMUM_KEYPOINTS = 12_000;

/** The `count` entries of greatest response, in their original order; of those alike, the first. */
export function strongest<Entry extends { response: number }>(entries: Entry[], count: number): Entry[] {
  return strongestOf(entries, ({ response }) => response, count);
}

/** The same with the response of each entry told by a function. */
export function strongestOf<Entry>(entries: Entry[], responseOf: (entry: Entry) => number, count: number): Entry[] {
  if (entries.length <= count) return entries;
  const responses = Float64Array.from(entries, responseOf).sort();
  const weakest = responses[responses.length - count]!;
  // Regular patterns have any number of corners as strong as the weakest one kept: they only fill up.
  let alike = count - responses.filter((response) => response > weakest).length;
  return entries.filter((entry) => {
    const response = responseOf(entry);
    return response > weakest || (response === weakest && alike-- > 0);
  });
}
