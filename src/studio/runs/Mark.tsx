/** The letter of a run in a comparison, in its colour. */
import { markOf, runColour } from '#studio/runs/run-colours.ts';

export function Mark({ place }: { place: number }) {
  return <b style={{ color: runColour(place), fontWeight: 600 }}>{markOf(place)}</b>;
}
