#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "openflow/action/action.h"
#include "openflow/flow_syntax.h"

/* Reads 'text', which must be right. */
static void
parse(const char *text, struct act_buf *acts)
{
    unsigned int protocols = PROTO_ANY;
    struct error *e = act_parse(text, NULL, acts, &protocols);

    if (e) {
        print_error("%s\n", error_text(e));
    }
    assert_null(e);
}

static void
an_action_grows_behind_others(void **state UNUSED)
{
    struct act_buf b = ACT_BUF_INIT;
    struct act_note *note;
    size_t ofs, n = 0;

    act_put(&b, ACT_EXIT, sizeof(struct act_exit));
    ofs = act_open(&b, ACT_NOTE, sizeof *note);
    for (int i = 0; i < 13; i++) {
        *(uint8_t *) act_grow(&b, ofs, 1) = i;
        note = act_at(&b, ofs);
        assert_int_equal(note->act.len, sizeof *note + i + 1);
        assert_int_equal(b.bytes.len % ACT_ALIGN, 0);
    }
    act_put(&b, ACT_EXIT, sizeof(struct act_exit));
    ACT_FOR_EACH (a, act_buf_span(&b)) {
        assert_int_equal(a->type, n == 1 ? ACT_NOTE : ACT_EXIT);
        n++;
    }
    assert_int_equal(n, 3);
    act_buf_uninit(&b);
}

static void
equal_texts_give_equal_bytes(void **state UNUSED)
{
    static const char text[] = "ct(commit,zone=5,nat(src=1.2.3.4)),clone(controller(id=3,userdata=00.01)),"
                               "learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:5->reg0[]),resubmit(,2)";
    struct act_buf a = ACT_BUF_INIT, b = ACT_BUF_INIT;
    struct act_span copy;

    parse(text, &a);
    parse(text, &b);
    copy = act_span_clone(act_buf_span(&a));
    assert_true(act_span_equal(copy, act_buf_span(&b)));
    free((void *) copy.first);
    act_buf_uninit(&a);
    act_buf_uninit(&b);
}

static void
nested_actions_are_reached(void **state UNUSED)
{
    struct act_buf b = ACT_BUF_INIT;
    struct act_span s;

    parse("meter:7,output:1,clone(output:2),write_actions(group:5)", &b);
    s = act_buf_span(&b);
    assert_true(act_outputs_to_port(s, OFP_PORT(1)));
    assert_true(act_outputs_to_port(s, OFP_PORT(2)));
    assert_false(act_outputs_to_port(s, OFP_PORT(3)));
    assert_true(act_outputs_to_group(s, 5));
    assert_false(act_outputs_to_group(s, 6));
    assert_int_equal(act_meter_id(s), 7);
    act_buf_uninit(&b);
}

static void
specs_of_learn_are_walked(void **state UNUSED)
{
    struct act_buf b = ACT_BUF_INIT;
    const struct act_learn *learn;
    int n = 0;

    parse("learn(table=1,eth_type=0x800,NXM_OF_IP_DST[],load:0x123456->NXM_NX_REG0[0..23],output:in_port)", &b);
    learn = (const struct act_learn *) act_buf_span(&b).first;
    LEARN_SPEC_FOR_EACH (spec, learn) {
        static const enum learn_dst dst[] = { LEARN_DST_MATCH, LEARN_DST_MATCH, LEARN_DST_LOAD, LEARN_DST_OUTPUT };
        static const uint16_t n_bits[] = { 16, 32, 24, 16 };

        assert_int_equal(spec->dst_type, dst[n]);
        assert_int_equal(spec->n_bits, n_bits[n]);
        n++;
    }
    assert_int_equal(n, 4);
    act_buf_uninit(&b);
}

static void
checking_fills_in_what_depends_on_the_match(void **state UNUSED)
{
    struct act_buf b = ACT_BUF_INIT;
    struct act_check c = { .protocols = PROTO_OF13, .max_ports = OFPP_MAX, .table = 0 };
    const struct act_set_l4_dst *port;
    struct match m;

    match_init_catchall(&m);
    match_set_u64(&m, FIELD_ETH_TYPE, 0x86dd);
    match_set_u64(&m, FIELD_NW_PROTO, 17);
    parse("mod_tp_dst:53", &b);
    c.match = &m;
    assert_int_equal(act_check(&b, &c), OFPERR_NONE);
    port = (const struct act_set_l4_dst *) act_buf_span(&b).first;
    assert_int_equal(port->ip_proto, 17);

    match_init_catchall(&m);
    assert_int_equal(act_check(&b, &c), OFPERR_OFPBAC_MATCH_INCONSISTENT);
    act_buf_uninit(&b);
}

static void
tables_lead_forward_only(void **state UNUSED)
{
    struct act_buf b = ACT_BUF_INIT;
    struct match m;
    struct act_check c = { .match = &m, .protocols = PROTO_ANY, .max_ports = OFPP_MAX, .table = 5 };

    match_init_catchall(&m);
    parse("goto_table:6", &b);
    assert_int_equal(act_check(&b, &c), OFPERR_NONE);
    c.table = 6;
    assert_int_equal(act_check(&b, &c), OFPERR_OFPBIC_BAD_TABLE_ID);
    act_buf_uninit(&b);
}

static void
nesting_has_a_limit(void **state UNUSED)
{
    struct str text = STR_INIT;
    struct act_buf b = ACT_BUF_INIT;
    unsigned int protocols = PROTO_ANY;
    struct error *e;

    for (int i = 0; i < 100; i++) {
        str_puts(&text, "clone(");
    }
    e = act_parse(str_text(&text), NULL, &b, &protocols);
    assert_non_null(e);
    assert_string_equal(error_text(e), "actions are nested too deeply");
    error_free(e);
    act_buf_uninit(&b);
    str_uninit(&text);
}

static void
instructions_come_in_any_order_and_are_kept_in_theirs(void **state UNUSED)
{
    static const uint8_t wire[] = {
        0, 1, 0, 8, 5, 0, 0, 0,                                                                 /* goto_table:5 */
        0, 4, 0, 24, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0,               /* output:3 */
        0, 6, 0, 8, 0, 0, 0, 9,                                                                 /* meter:9 */
    };
    struct act_buf b = ACT_BUF_INIT;
    struct str s = STR_INIT;

    assert_int_equal(act_decode_instructions(wire, sizeof wire, OF13, &b), OFPERR_NONE);
    act_format(&s, act_buf_span(&b), NULL);
    assert_string_equal(str_text(&s), "meter:9,output:3,goto_table:5");
    assert_int_equal(act_decode_instructions(wire, 7, OF13, &b), OFPERR_OFPBIC_BAD_LEN);
    assert_int_equal(act_decode_instructions(wire, sizeof wire, OF12, &b), OFPERR_OFPBIC_UNKNOWN_INST);
    str_uninit(&s);
    act_buf_uninit(&b);
}

static void
the_first_word_can_be_the_command(void **state UNUSED)
{
    struct flow_mod fm;
    unsigned int protocols;

    assert_null(flow_mod_parse(&fm, " delete_strict priority=5,tcp", FLOW_COMMAND_FROM_TEXT, NULL, &protocols));
    assert_int_equal(fm.command, FM_DELETE_STRICT);
    assert_int_equal(fm.priority, 5);
    flow_mod_uninit(&fm);
    assert_null(flow_mod_parse(&fm, "cookie=0x12/0xf,table=3", FM_DELETE, NULL, &protocols));
    assert_int_equal(fm.cookie, 2);
    assert_int_equal(fm.cookie_mask, 0xf);
    assert_int_equal(protocols, PROTO_NXM_TID | PROTO_OF11_UP);
    flow_mod_uninit(&fm);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_action_grows_behind_others),
        cmocka_unit_test(equal_texts_give_equal_bytes),
        cmocka_unit_test(nested_actions_are_reached),
        cmocka_unit_test(specs_of_learn_are_walked),
        cmocka_unit_test(checking_fills_in_what_depends_on_the_match),
        cmocka_unit_test(tables_lead_forward_only),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(instructions_come_in_any_order_and_are_kept_in_theirs),
        cmocka_unit_test(the_first_word_can_be_the_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
