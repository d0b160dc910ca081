// How JSON Schema counts.

/** The length of a text in code points: what `minLength` means, where JavaScript counts UTF-16. */
export function characters(text: string): number {
  let count = text.length;
  for (let at = 1; at < text.length; at++) {
    const high = text.charCodeAt(at - 1);
    const low = text.charCodeAt(at);
    if (0xd800 <= high && high < 0xdc00 && 0xdc00 <= low && low < 0xe000) {
      count -= 1;
      at += 1;
    }
  }
  return count;
}
