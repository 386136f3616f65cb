/** Mantine in the studio's look: one accent, four text sizes, an 8-point grid. The colours themselves are in tokens.css. */
import {
  Button,
  createTheme,
  type CSSVariablesResolver,
  defaultVariantColorsResolver,
  Input,
  type MantineColorsTuple,
  NativeSelect,
  Textarea,
  TextInput,
} from '@mantine/core';

/** Teal. Shade 7 carries white text in the light scheme, shade 3 dark text in the dark one, both above 4.5 : 1. */
const accent: MantineColorsTuple = [
  '#e6f6f3',
  '#c9ebe4',
  '#93d7c9',
  '#4fc0ab',
  '#2aa993',
  '#17937e',
  '#0f8571',
  '#0b7563',
  '#085f50',
  '#05483d',
];

/** Grey with a little blue: text, lines and surfaces of the dark scheme. */
const dark: MantineColorsTuple = [
  '#e6e8ea',
  '#c6cad0',
  '#a4aab3',
  '#8a919c',
  '#454b54',
  '#343a42',
  '#262b31',
  '#1a1d21',
  '#15181b',
  '#101214',
];

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif';
const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const rem = (pixels: number): string => `${pixels / 16}rem`;

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 7, dark: 3 },
  // Mantine works out a filled colour for one scheme alone; the tokens know both.
  variantColorResolver: (input) => {
    const resolved = defaultVariantColorsResolver(input);
    if (input.variant !== 'filled') return resolved;
    return { ...resolved, background: 'var(--accent)', hover: 'var(--accent-hover)', color: 'var(--on-accent)' };
  },
  colors: { accent, dark },
  fontFamily: FONT,
  fontFamilyMonospace: MONO,
  fontSizes: { xs: rem(12), sm: rem(14), md: rem(14), lg: rem(18), xl: rem(28) },
  lineHeights: { xs: '1.333', sm: '1.43', md: '1.43', lg: '1.333', xl: '1.2' },
  spacing: { xs: rem(4), sm: rem(8), md: rem(16), lg: rem(24), xl: rem(32) },
  radius: { xs: rem(2), sm: rem(4), md: rem(4), lg: rem(8), xl: rem(16) },
  defaultRadius: 'sm',
  headings: { fontFamily: FONT, fontWeight: '600' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: Button.extend({ defaultProps: { size: 'sm' }, styles: { root: { fontWeight: 500 } } }),
    InputWrapper: Input.Wrapper.extend({
      styles: { label: { marginBottom: rem(4), fontWeight: 500 }, description: { marginBottom: rem(4), fontSize: rem(12) } },
    }),
    TextInput: TextInput.extend({ defaultProps: { size: 'sm' } }),
    Textarea: Textarea.extend({ defaultProps: { size: 'sm' } }),
    NativeSelect: NativeSelect.extend({ defaultProps: { size: 'sm' } }),
  },
});

/** Mantine's own names point at the tokens, so that there is one place for a colour. */
export const resolveVariables: CSSVariablesResolver = () => {
  const shared = {
    '--mantine-color-body': 'var(--surface)',
    '--mantine-color-text': 'var(--ink)',
    '--mantine-color-dimmed': 'var(--ink-2)',
    '--mantine-color-placeholder': 'var(--ink-3)',
    '--mantine-color-default': 'var(--surface)',
    '--mantine-color-default-hover': 'var(--surface-2)',
    '--mantine-color-default-border': 'var(--line-2)',
    '--mantine-color-default-color': 'var(--ink)',
    '--mantine-color-error': 'var(--error)',
    '--mantine-color-anchor': 'var(--ink)',
  };
  return { variables: {}, light: shared, dark: shared };
};
