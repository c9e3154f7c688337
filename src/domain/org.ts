/** What an org may be called. Pure. */

/** It is the external ID of the org's roles, so this is what AWS allows in one. */
export const ORG_PATTERN = /^[\w+=,.@:/-]{2,128}$/;

export const ORG_PROBLEM = 'must be 2 to 128 letters, digits or + = , . @ : / - (it is the external ID)';
