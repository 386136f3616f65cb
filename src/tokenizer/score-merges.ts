/** The merges that a SentencePiece vocabulary implies by its scores. Knows no file. */

/**
 * Every way to make a token of two others, best score first, then the longer left and right part: what SentencePiece's BPE does with
 * scores, written as merges.
 * @source transformers 5.24 tokenization_utils_base.py (generate_merges)
 */
export function mergesOfScores(tokens: readonly string[], scores: readonly number[]): [string, string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: { left: string; right: string; score: number; leftLength: number; rightLength: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    const characters = Array.from(token);
    const ways: { left: string; right: string; leftId: number; rightId: number; cut: number }[] = [];
    let left = '';
    for (let cut = 1; cut < characters.length; cut++) {
      left += characters[cut - 1];
      const leftId = ids.get(left);
      const rightId = leftId === undefined ? undefined : ids.get(token.slice(left.length));
      if (leftId === undefined || rightId === undefined) continue;
      ways.push({ left, right: token.slice(left.length), leftId, rightId, cut });
    }
    ways.sort((a, b) => a.leftId - b.leftId || a.rightId - b.rightId);
    for (const way of ways) {
      const leftLength = way.cut;
      merges.push({ left: way.left, right: way.right, score: scores[id], leftLength, rightLength: characters.length - leftLength });
    }
  }
  merges.sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength);
  return merges.map(({ left, right }) => [left, right]);
}
