/** What a sync has exchanged so far, for progress and for the summary. */

/** Running totals. Sizes are of messages, before compression. "Artifacts" may be unversioned files or rows. */
export interface SyncTotals {
  rounds: number;
  artifactsSent: number;
  artifactsReceived: number;
  /** Artifacts that came and were already here. */
  artifactsKnown: number;
  messageBytesSent: number;
  messageBytesReceived: number;
}

/** The totals of a sync that has not begun. */
export function zeroTotals(): SyncTotals {
  return {
    rounds: 0,
    artifactsSent: 0,
    artifactsReceived: 0,
    artifactsKnown: 0,
    messageBytesSent: 0,
    messageBytesReceived: 0,
  };
}
