/** A policy document that AWS (or the sandbox's subset of its language) does not accept. */
export class PolicySyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PolicySyntaxError';
  }
}
