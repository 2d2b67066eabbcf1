def scale(x):
    return 2 * x


def shift(x):
    return x + 1
