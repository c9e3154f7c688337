/** Code blocks of a Markdown page, in their order. */
import { readFile } from 'node:fs/promises';

export interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const ROOT = new URL('../../../', import.meta.url);

export async function readBlocks(page: string): Promise<readonly Block[]> {
  const markdown = await readFile(new URL(page, ROOT), 'utf8');
  return [...markdown.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    page,
    language,
    text,
  }));
}

/** Something that a reader pastes into a shell. */
export function isCommands({ language, text }: Block): boolean {
  return (
    ['', 'sh'].includes(language) &&
    /^(?:npx |node |npm |git |curl |kubectl |docker |systemctl |keyferry |export |[a-z]+=\$\()/m.test(text)
  );
}
