import { describe, expect, it } from 'vitest';
import { runParametersDocument } from '../../contract/model.contract.js';
import { completeSchema, findModelSchemaFlaw } from './model-schema.js';

const own = (properties: Record<string, unknown>, rest: Record<string, unknown> = {}) => ({
  type: 'object',
  properties,
  ...rest,
});
const gain = { type: 'number', exclusiveMinimum: 0, default: 1 };
const flawAt = (schema: Record<string, unknown>) => findModelSchemaFlaw(schema)?.path.join('.');

describe('completeSchema', () => {
  it('is what every run takes for a model that adds nothing, as cns', () => {
    expect(completeSchema({ type: 'object' })).toEqual(runParametersDocument());
    expect(completeSchema(runParametersDocument())).toEqual(runParametersDocument());
  });

  it('has the parameters of every run first, then those of the model', () => {
    const complete = completeSchema(own({ gain, distance: { type: 'number', default: 2 } }, { required: ['gain'] }));
    expect(Object.keys(complete.properties)).toEqual([
      ...Object.keys(completeSchema({ type: 'object' }).properties),
      'gain',
    ]);
    expect(complete.properties['gain']).toEqual(gain);
    expect(complete.properties['distance']).toMatchObject({
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 1e4,
      default: 2,
    });
    expect(complete.required).toEqual(expect.arrayContaining(['startFrame', 'detector', 'gain']));
    expect(complete['additionalProperties']).toBe(false);
  });
});

describe('findModelSchemaFlaw', () => {
  it.each<[string, Record<string, unknown>]>([
    ['nothing of its own', { type: 'object' }],
    ['all that every run takes, again', runParametersDocument()],
    ['a parameter', own({ gain }, { additionalProperties: false, required: ['gain', 'intrinsics'] })],
    [
      'narrower parameters of every run',
      own({
        frameStep: { type: 'integer', minimum: 2, maximum: 10, multipleOf: 2 },
        detector: { type: 'string', enum: ['ORB', 'SIFT'] },
        policy: { type: 'string', const: 'ibvs' },
        useGpus: { type: 'boolean', description: 'Has to be there.' },
      }),
    ],
    [
      'conditions',
      own(
        { mode: { type: 'string' }, gain },
        {
          if: { properties: { mode: { const: 'slow' } }, required: ['mode'] },
          then: { required: ['gain'] },
        },
      ),
    ],
    ['definitions', own({ from: { $ref: '#/$defs/point' } }, { $defs: { point: own({ x: { type: 'number' } }) } })],
  ])('finds none in a schema with %s', (_what, schema) => {
    expect(findModelSchemaFlaw(schema)).toBeNull();
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['of no object', { type: 'array' }, 'type'],
    ['without a type', { properties: {} }, 'type'],
    ['whose properties are a list', { type: 'object', properties: [] }, 'properties'],
    ['that lets any name in', own({ gain }, { additionalProperties: true }), 'additionalProperties'],
    [
      'that lets names of a type in',
      own({ gain }, { additionalProperties: { type: 'number' } }),
      'additionalProperties',
    ],
    ['that lets names of a pattern in', own({ gain }, { patternProperties: { '^x': {} } }), 'patternProperties'],
    ['that needs what is not there', own({ gain }, { required: ['gian'] }), 'required'],
    ['that needs something else than names', own({ gain }, { required: [1] }), 'required'],
    ['with a name that is none', own({ 'a b': gain }), 'properties.a b'],
    ['with a name that every object has', own({ constructor: gain }), 'properties.constructor'],
    ['with a frame step in words', own({ frameStep: { type: 'string' } }), 'properties.frameStep.type'],
    ['with a frame step of any type', own({ frameStep: { maximum: 9 } }), 'properties.frameStep.type'],
    ['with a frame step of anything', own({ frameStep: true }), 'properties.frameStep.type'],
    ['with a frame step below one', own({ frameStep: { type: 'integer', minimum: 0 } }), 'properties.frameStep'],
    ['with a distance beyond its bound', own({ distance: { type: 'number', maximum: 1e5 } }), 'properties.distance'],
    [
      'with a policy of its own',
      own({ policy: { type: 'string', enum: ['ibvs', 'magic'] } }),
      'properties.policy.enum',
    ],
    [
      'with a default that no run takes',
      own({ visualize: { type: 'string', default: 'some' } }),
      'properties.visualize.default',
    ],
    [
      'with a detector that no run takes',
      own({ detector: { type: 'string', const: 'HARRIS' } }),
      'properties.detector.const',
    ],
    [
      'with intrinsics of another form',
      own({ intrinsics: { type: 'object', properties: { f: {} } } }),
      'properties.intrinsics.properties',
    ],
    ['with an unknown keyword', own({ gain: { type: 'number', unit: 'm' } }), ''],
    ['with a dangerous pattern', own({ tag: { type: 'string', pattern: '(a)\\1' } }), 'properties.tag.pattern'],
    ['with text that cannot be kept', own({ tag: { type: 'string', default: 'a\0' } }), 'properties.tag.default'],
    ['with a default that does not fit', own({ gain: { type: 'number', default: '1' } }), 'properties.gain.default'],
  ])('finds one %s', (_what, schema, path) => {
    expect(flawAt(schema)).toBe(path);
  });
});
