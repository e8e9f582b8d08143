// CURVE: encryption between processes on different machines. Keys are Z85 text, 40 characters.
//
//   keyFile of this host --> our pair --> listeners (ROUTER) and links (DEALER)
//   allow, allowFile, our own key --> AllowedKeys --> who may call us (zap.ts), whom we call (nexus/links.ts)
//
// An instance publishes its public key through discovery; who connects uses it, so nobody without the secret key can pose as
// the instance. Without a list of keys everybody who can reach a listener may call it: encrypted, and nothing more.

export interface Curve {
  readonly publicKey: string;
  readonly secretKey: string;
  /** Absent: every key is admitted. */
  readonly allowed?: KeyList | undefined;
}

export interface KeyList {
  /** @param key A public key, Z85. */
  admits(key: string): boolean;
}

/** @param domain The listener's, under which its guard stands (zap.ts). */
export const routerCurve = (curve: Curve | undefined, domain: string) =>
  curve
    ? {
        curveServer: true,
        curveSecretKey: curve.secretKey,
        curvePublicKey: curve.publicKey,
        ...(curve.allowed ? { zapDomain: domain, zapEnforceDomain: true } : {}),
      }
    : {};

export const dealerCurve = (curve: Curve | undefined, serverKey: string | undefined) =>
  curve && serverKey
    ? { curveServerKey: serverKey, curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey }
    : {};
