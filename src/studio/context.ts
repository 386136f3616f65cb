/** What every component reaches for: the stores and the words. */
import { createContext, useContext } from 'react';
import { invariant } from '#base/errors.ts';
import type { Studio } from '#studio/studio.ts';
import { en, type Text } from '#studio/text/en.ts';

export const StudioContext = createContext<Studio | null>(null);
const TextContext = createContext<Text>(en);

export function useStudio(): Studio {
  const studio = useContext(StudioContext);
  invariant(studio, 'a component stands outside of the studio');
  return studio;
}

export function useText(): Text {
  return useContext(TextContext);
}
