/** Buttons that open the system's own choice of files: for whoever would rather not drop. */
import { Button, type ButtonProps } from '@mantine/core';
import { type ReactNode, useRef } from 'react';

interface FilePickProps extends Pick<ButtonProps, 'variant' | 'size' | 'disabled'> {
  children: ReactNode;
  /** Extensions, as `.gguf`; null for a folder with all that is in it. */
  accept: string | null;
  multiple?: boolean;
  onPick: (files: File[]) => void;
}

export function FilePick({ children, accept, multiple = false, onPick, ...button }: FilePickProps) {
  const input = useRef<HTMLInputElement>(null);
  const kind = accept === null ? { webkitdirectory: '' } : { accept, multiple };
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        {...kind}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // The same file may be chosen again after it was mended.
          event.currentTarget.value = '';
          if (files.length > 0) onPick(files);
        }}
      />
      <Button variant="default" {...button} onClick={() => input.current?.click()}>
        {children}
      </Button>
    </>
  );
}
