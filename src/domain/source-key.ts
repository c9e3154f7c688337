/**
 * What a sync calls a secret: the key itself in the sync's own folder, `a/b:KEY` in the folder two
 * levels below. Neither a key nor a path holds a colon, so that both come back out. Pure.
 */
export interface SourceKeyParts {
  /** Path below the sync's folder, without slashes at its ends; empty for the folder itself. */
  readonly below: string;
  readonly key: string;
}

const SEPARATOR = ':';

export function toSourceKey({ below, key }: SourceKeyParts): string {
  return below === '' ? key : `${below}${SEPARATOR}${key}`;
}

export function parseSourceKey(sourceKey: string): SourceKeyParts {
  const at = sourceKey.indexOf(SEPARATOR);
  return { below: sourceKey.slice(0, Math.max(at, 0)), key: sourceKey.slice(at + 1) };
}

/**
 * `/api/db` seen from `/api` is `db`; from `/` it is `api/db`. `path` is `folder` itself or below
 * it.
 */
export function pathBelow(folder: string, path: string): string {
  return path.slice(folder.length).replace(/^\//, '');
}

/** As patterns see it: `a/b/KEY`. */
export function pathOfSourceKey(sourceKey: string): string {
  return sourceKey.replace(SEPARATOR, '/');
}
