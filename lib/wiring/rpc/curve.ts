// CURVE: encryption between processes on different machines. Keys are Z85 text, 40 characters, from zeromq's curveKeyPair().
//
// An instance publishes its public key through discovery; who connects uses it, so nobody can pose as the instance. Which
// callers a listener lets in is not restricted yet: it needs a list of their keys (ZAP).

export interface Curve {
  readonly publicKey: string;
  readonly secretKey: string;
}

export const routerCurve = (curve: Curve | undefined) =>
  curve ? { curveServer: true, curveSecretKey: curve.secretKey, curvePublicKey: curve.publicKey } : {};

export const dealerCurve = (curve: Curve | undefined, serverKey: string | undefined) =>
  curve && serverKey
    ? { curveServerKey: serverKey, curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey }
    : {};
