/**
 * Switches for what AWS's own sources leave open or contradict each other about. The product must
 * be right under every setting; what each one rests on is in docs/sandbox.md.
 */
export interface SandboxBehaviour {
  /** PutParameter with Overwrite and another Type. */
  parameterTypeChange: 'refused' | 'allowed';
  /**
   * How GetParameter, GetParameters and DeleteParameters name a parameter at the root: without its
   * slash, or as the request did. Listings always show it without.
   */
  rootParameterName: 'without-slash' | 'as-requested';
}

export type BehaviourOption = Partial<SandboxBehaviour>;

const DEFAULTS: SandboxBehaviour = { parameterTypeChange: 'refused', rootParameterName: 'without-slash' };

export function resolveBehaviour(option: BehaviourOption = {}): SandboxBehaviour {
  return { ...DEFAULTS, ...option };
}
