import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: ['./src/db/schema.ts', './src/db/schema-operations.ts', './src/db/schema-ownership.ts'],
  out: './src/db/migrations',
  schemaFilter: ['keyferry'],
});
