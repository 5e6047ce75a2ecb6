#!/usr/bin/env python3
"""Turns the published CNS weights (cns_state_dict.pth of github.com/hhcaz/CNS) into a safetensors file for CNS_WEIGHTS.

Usage:  python3 scripts/convert-cns-weights.py cns_state_dict.pth cns.safetensors

Needs PyTorch and nothing else. The file is loaded without running code from it where this PyTorch can do so (1.13 and
later). Values are copied bit by bit; what the tensors are called and how they are shaped is checked when InferNode starts.
"""
import argparse
import inspect
import json
import os
import struct
import sys

import torch


def load_state_dict(path):
    options = {'map_location': 'cpu'}
    if 'weights_only' in inspect.signature(torch.load).parameters:
        options['weights_only'] = True
    content = torch.load(path, **options)
    # Training checkpoints wrap the weights.
    for key in ('state_dict', 'model'):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(isinstance(v, torch.Tensor) for v in content.values()):
        sys.exit(f'{path} holds no state dict: take cns_state_dict.pth, not cns.pth')
    return content


def write_safetensors(tensors, path):
    header, pieces, offset = {'__metadata__': {'format': 'pt'}}, [], 0
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            sys.exit(f'the tensor "{name}" is {tensor.dtype} instead of float32')
        values = tensor.detach().contiguous().flatten().tolist()
        piece = struct.pack(f'<{len(values)}f', *values)
        header[name] = {'dtype': 'F32', 'shape': list(tensor.shape), 'data_offsets': [offset, offset + len(piece)]}
        pieces.append(piece)
        offset += len(piece)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    partial = path + '.partial'
    with open(partial, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(pieces))
    os.replace(partial, path)


def main():
    parser = argparse.ArgumentParser(description='Convert the published CNS weights for InferNode.')
    parser.add_argument('source', help='cns_state_dict.pth')
    parser.add_argument('target', help='the .safetensors file to write')
    arguments = parser.parse_args()
    tensors = load_state_dict(arguments.source)
    write_safetensors(tensors, arguments.target)
    count = sum(tensor.numel() for tensor in tensors.values())
    print(f'{arguments.target}: {len(tensors)} tensors, {count} values. Set CNS_WEIGHTS={os.path.abspath(arguments.target)}')


if __name__ == '__main__':
    main()
