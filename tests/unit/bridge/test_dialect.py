from bridge.postgres.dialect import translated


def test_parameters_are_binary_and_in_order():
    statement = translated("SELECT ?, '?', a % 2, '50%' FROM t WHERE b = ?")
    assert statement.text == "SELECT %b, '?', a %% 2, '50%%' FROM t WHERE b = %b"
    assert statement.order == (0, 1)


def test_a_numbered_parameter_may_come_twice():
    statement = translated("UPDATE t SET a = ?2 WHERE b = ?1 AND a <> ?2")
    assert statement.text == "UPDATE t SET a = %b WHERE b = %b AND a <> %b"
    assert statement.order == (1, 0, 1)


def test_what_sqlite_alone_is_told_is_left_out():
    assert translated("SELECT 1 FROM m INDEXED BY m_live WHERE x").text == "SELECT 1 FROM m WHERE x"
    assert (
        translated("SELECT 1 FROM m INDEXED BY m_x CROSS JOIN u USING (id)").text == "SELECT 1 FROM m JOIN u USING (id)"
    )


def test_numbers_in_an_array_are_rows():
    statement = translated("DELETE FROM t WHERE n IN (SELECT value FROM json_each(?2)) AND u = ?1")
    assert "json_array_elements_text(CAST(%b AS json))" in statement.text
    assert statement.order == (1, 0)
