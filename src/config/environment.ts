/** The process's environment, for the composition of commands; nobody else reads `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export function processEnvironment(): Environment {
  return process.env;
}
