import { Webhook } from 'standardwebhooks';
import { webhookMessageSchema, type WebhookMessage } from '../contract/webhook.contract.js';

/** The request is not from the server, too old, or was changed on its way. */
export { WebhookVerificationError } from 'standardwebhooks';

/**
 * Checks the signature of a request to a webhook, and that it is not older than five minutes.
 *
 * @param secret as it was given: `whsec_…`
 * @param headers of the request, in any case
 * @param body to the letter as it arrived: parsed and written again it may differ
 * @throws WebhookVerificationError; ZodError for a message of a kind this version does not know
 */
export function verifyWebhook(
  secret: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string | Buffer,
): WebhookMessage {
  const single = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  return webhookMessageSchema.parse(new Webhook(secret).verify(body, Object.fromEntries(single)));
}
