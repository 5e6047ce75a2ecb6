import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/**
 * A private RSA key, taken in from PEM as a server takes its own in. Node 20 can lock itself up with the key object that
 * the generator returns: reading its details holds a lock that the generator's own clean-up, run by a garbage collection
 * at that moment, waits for.
 */
export function makeRsaKey(modulusLength = 2048): KeyObject {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return createPrivateKey(privateKey);
}
