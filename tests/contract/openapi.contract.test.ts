import spectralCore from '@stoplight/spectral-core';
import spectralFunctions from '@stoplight/spectral-functions';
import spectralParsers from '@stoplight/spectral-parsers';
import spectralRulesets from '@stoplight/spectral-rulesets';
import { describe, expect, it } from 'vitest';
import { buildOpenApi } from '../../src/contract/openapi.js';

const { Spectral, Document } = spectralCore;
const { truthy, pattern, schema } = spectralFunctions;
const { oas } = spectralRulesets;

const OPERATIONS = '$.paths[*][get,put,post,delete,patch]';

/** What every operation of this API has, beyond what any good OpenAPI document has. */
const OWN_RULES = {
  'oas3-parameter-description': 'error' as const,
  'tag-description': 'error' as const,
  'infernode-operation-id': {
    description: 'The operation id is the name of a method of the client.',
    severity: 'error' as const,
    given: `${OPERATIONS}.operationId`,
    then: { function: pattern, functionOptions: { match: '^[a-z][A-Za-z0-9]+$' } },
  },
  'infernode-summary': {
    description: 'A summary is one line without a full stop.',
    severity: 'error' as const,
    given: `${OPERATIONS}.summary`,
    then: { function: pattern, functionOptions: { match: '^[A-Z].{3,90}[^.]$' } },
  },
  'infernode-body-example': {
    description: 'A JSON body has an example that can be sent as it stands.',
    severity: 'error' as const,
    given: "$.paths[*][*].requestBody.content['application/json']",
    then: { field: 'example', function: truthy },
  },
  'infernode-problem': {
    description: 'Every refusal is a problem document with an example for each code.',
    severity: 'error' as const,
    given: `$.paths[*][*].responses[?(@property >= '400')].content`,
    then: {
      function: schema,
      functionOptions: {
        schema: {
          required: ['application/problem+json'],
          additionalProperties: false,
          properties: {
            'application/problem+json': {
              required: ['schema', 'examples'],
              properties: { examples: { type: 'object', minProperties: 1 } },
            },
          },
        },
      },
    },
  },
};

async function findings(document: object): Promise<string[]> {
  const spectral = new Spectral();
  spectral.setRuleset({ extends: [[oas as never, 'recommended']], rules: OWN_RULES });
  const results = await spectral.run(new Document(JSON.stringify(document), spectralParsers.Json));
  return results.map(({ code, path, message }) => `${String(code)} ${path.join('.')}: ${message}`);
}

describe('the OpenAPI document', () => {
  it('passes every rule of Spectral’s OpenAPI set and of ours', async () => {
    expect(await findings(buildOpenApi('1.0.0'))).toEqual([]);
  });

  it('is looked at: a document with a flaw is told so', async () => {
    const document = structuredClone(buildOpenApi('1.0.0')) as {
      paths: Record<
        string,
        { post: { requestBody: { content: Record<string, { example?: unknown }> }; tags?: unknown } }
      >;
    };
    const { post } = document.paths['/auth/register'];
    delete post.requestBody.content['application/json'].example;
    delete post.tags;
    const found = (await findings(document)).map((line) => line.split(' ')[0]);
    expect(found).toEqual(expect.arrayContaining(['infernode-body-example', 'operation-tags']));
  });
});
