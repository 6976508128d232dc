"""The text that drivers in Python read and write; see README.md."""
import sys


def null(text):
    return None if text == '~' else text.encode()


def text(data):
    return '~' if data is None else data.decode()


def parse(line):
    """A line to produce: partition, time or None, key, value, headers."""
    partition, time, key, value, headers = line.rstrip('\n').split('\t')
    pairs = [pair.split('=', 1) for pair in headers.split(',') if pair]
    return (int(partition), None if time == '-' else int(time), null(key),
            null(value), [(name, null(data)) for name, data in pairs])


def say(*fields, sep=' '):
    sys.stdout.buffer.write((sep.join(map(str, fields)) + '\n').encode())
    sys.stdout.buffer.flush()


def say_record(offset, time, key, value, headers):
    say(offset, time, text(key), text(value),
        ','.join('%s=%s' % (name, text(data)) for name, data in headers or ()),
        sep='\t')


def options(words):
    return dict(word.split('=', 1) for word in words)


def cannot(why):
    print(why, file=sys.stderr)
    sys.exit(77)


def error(code, why):
    say('error', code)
    print(why, file=sys.stderr)
    sys.exit(1)
