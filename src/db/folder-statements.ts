/** Parts of the statement that changes a folder. */
import { sql, type SQL } from 'drizzle-orm';

import type { SecretChange } from './folder-changes.ts';

/** Whether a rotation writes one of the secrets. */
export function managesAny(folderId: string, changes: readonly SecretChange[]): SQL {
  const keys = JSON.stringify(changes.map(({ key }) => key));
  return sql`exists (
            select 1 from keyferry.secrets s
            where s.folder_id = ${folderId} and s.managed_by is not null
              and s.key in (select jsonb_array_elements_text(${keys}::jsonb))
          )`;
}

/** Metadata that a change does not name stays. */
export function writtenSecrets(revision: number, written: string): SQL {
  return sql`
          insert into keyferry.secrets (folder_id, key, value, revision, metadata, updated_at)
          select moved.id, w.key, w.value, ${revision}, coalesce(w.metadata, '{}'::jsonb), now()
          from moved, jsonb_to_recordset(${written}::jsonb)
            as w(key text, value text, metadata jsonb)
          on conflict (folder_id, key) do update set
            value = excluded.value,
            revision = excluded.revision,
            updated_at = now(),
            metadata = case
              when exists (
                select 1 from jsonb_to_recordset(${written}::jsonb) as w(key text, metadata jsonb)
                where w.key = excluded.key and w.metadata is not null
              ) then excluded.metadata
              else keyferry.secrets.metadata end
          returning key
        `;
}
