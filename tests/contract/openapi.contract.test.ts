import spectralCore from '@stoplight/spectral-core';
import spectralFunctions from '@stoplight/spectral-functions';
import spectralParsers from '@stoplight/spectral-parsers';
import spectralRulesets from '@stoplight/spectral-rulesets';
import { describe, expect, it } from 'vitest';
import { documentModels, DOCUMENTED_CNS, type DocumentedModel } from '../../src/contract/openapi-models.js';
import { buildOpenApi, buildOpenApiBase } from '../../src/contract/openapi.js';
import { completeSchema } from '../../src/modules/model/model-schema.js';

const { Spectral, Document } = spectralCore;
const { pattern, schema } = spectralFunctions;
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
    description: 'A JSON body has an example that can be sent as it stands, or several.',
    severity: 'error' as const,
    given: "$.paths[*][*].requestBody.content['application/json']",
    then: {
      function: schema,
      functionOptions: { schema: { oneOf: [{ required: ['example'] }, { required: ['examples'] }] } },
    },
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

interface Shown {
  components: { schemas: Record<string, object> };
  paths: Record<string, { post: { requestBody: { content: Record<string, ShownMedia> } } }>;
}

interface ShownMedia {
  schema: { anyOf?: { properties: Record<string, { enum?: string[] }>; required: string[] }[] };
  example?: unknown;
  examples?: Record<string, { summary: string; value: unknown }>;
}

const DRIFT: DocumentedModel = {
  name: 'drift',
  version: '2',
  isNewest: true,
  description: 'Follows the drift.',
  parameters: completeSchema({
    type: 'object',
    properties: { gain: { type: 'number', default: 1 }, from: { $ref: '#/$defs/point' } },
    required: ['gain'],
    $defs: { point: { type: 'object', properties: { x: { type: 'number' } } } },
  }),
};
const DRIFTS = [DRIFT, { ...DRIFT, version: '1.0+a', isNewest: false, description: '' }];

describe('the OpenAPI document', () => {
  it('passes every rule of Spectral’s OpenAPI set and of ours', async () => {
    expect(await findings(buildOpenApi('1.0.0'))).toEqual([]);
  });

  it('passes them with models of this installation in it, too', async () => {
    const document = documentModels(buildOpenApiBase('1.0.0', 'v1'), [DOCUMENTED_CNS, ...DRIFTS], false);
    expect(await findings(document)).toEqual([]);
  });

  it('shows each model with its parameters, and leaves the rest alone', () => {
    const base = buildOpenApiBase('1.0.0', 'v1');
    const before = structuredClone(base);
    const document = documentModels(base, [DOCUMENTED_CNS, ...DRIFTS]) as unknown as Shown;
    expect(base).toEqual(before);
    const names = Object.keys(document.components.schemas).filter((name) => name.startsWith('InferenceParameters_'));
    expect(names).toEqual([
      'InferenceParameters__cns',
      'InferenceParameters__drift',
      'InferenceParameters__drift__1.0_a',
    ]);
    expect(JSON.stringify(document.components.schemas['InferenceParameters__drift'])).toContain(
      '"$ref":"#/components/schemas/InferenceParameters__drift/$defs/point"',
    );
    const submit = document.paths['/inference'].post.requestBody.content['application/json'];
    expect(submit.schema.anyOf?.map(({ properties, required }) => [properties['model'].enum, required])).toEqual([
      [
        ['cns', 'cns@1'],
        ['datasetId', 'parameters', 'range'],
      ],
      [
        ['drift', 'drift@2'],
        ['datasetId', 'parameters', 'range', 'model'],
      ],
      [['drift@1.0+a'], ['datasetId', 'parameters', 'range', 'model']],
    ]);
    expect(submit.example).toBeUndefined();
    expect(submit.examples).toMatchObject({
      default: { value: { range: 'all' } },
      cns: { value: { model: 'cns' } },
      drift: { summary: 'Follows the drift.', value: { model: 'drift', parameters: { gain: 1, startFrame: 0 } } },
      'drift@1.0+a': { value: { model: 'drift@1.0+a' } },
    });
    const quote = document.paths['/quote'].post.requestBody.content['application/json'];
    expect(quote.schema.anyOf).toHaveLength(4);
    const { '/inference': _submit, '/quote': _quote, ...others } = document.paths;
    const { '/inference': _baseSubmit, '/quote': _baseQuote, ...baseOthers } = base.paths as Shown['paths'];
    expect(others).toEqual(baseOthers);
  });

  it('has what cns takes in its static form, and nothing else', () => {
    const document = buildOpenApi('1.0.0') as unknown as Shown;
    const submit = document.paths['/inference'].post.requestBody.content['application/json'];
    expect(submit.schema).toMatchObject({
      properties: { parameters: { $ref: '#/components/schemas/InferenceParameters__cns' } },
      required: ['datasetId', 'parameters', 'range'],
    });
    expect(document.components.schemas['InferenceParameters__cns']).toMatchObject({ additionalProperties: false });
    expect(submit.example).toBeDefined();
    expect(submit.examples).toBeUndefined();
  });

  it('stays whole without any active model', () => {
    const base = buildOpenApiBase('1.0.0', 'v1');
    expect(documentModels(base, [])).toEqual(base);
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
