def test_negative(scale) -> None:
    assert scale(-1) < 0
