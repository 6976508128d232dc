#!/usr/bin/env python3
"""batches.py FILE...: the record batches of log segments, one a line:

    base offset, records, codec, producer id, producer epoch, base sequence

A reader of its own, that only knows the header of a batch (61 bytes).
"""
import struct
import sys

CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
HEADER = struct.Struct('>qiibIhiqqqhii')


def batches(data):
    pos = 0
    while pos + HEADER.size <= len(data):
        (base, length, _, magic, _, attributes, _, _, _, pid, epoch,
         sequence, count) = HEADER.unpack_from(data, pos)
        if length <= 0:
            return
        if magic != 2:
            sys.exit('a batch of magic %d' % magic)
        yield base, count, CODECS[attributes & 7], pid, epoch, sequence
        pos += 12 + length


for name in sys.argv[1:]:
    with open(name, 'rb') as segment:
        for batch in batches(segment.read()):
            print(*batch)
