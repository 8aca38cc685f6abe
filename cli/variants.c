/* variants.c - graphattn variants: the registry of attention variants, for people and for programs. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"

static const option rows[] = { { "cab", 0, OPTION_SWITCH, AT(cab),
                                 .help = "which of causal and not, self and cross, every variant can do" },
                               { 0 } };
const option_group variants_options = { "Lists", rows };

static const struct {
    unsigned bit;
    const char *name;
} abilities[] = {
    { GA_CAN_CAUSAL, "causal" },
    { GA_CAN_CROSS, "cross" },
    { GA_CAN_GROUP, "grouped_query" },
    { GA_CAN_BACKWARD, "backward" },
    { GA_CAN_DECODE, "decode" },
    { GA_CAN_CUDA, "cuda" },
    { GA_ALWAYS_CAUSAL, "always_causal" },
    { GA_TAKES_PATTERN, "takes_pattern" },
    { GA_TAKES_NORMALISER, "takes_normaliser" },
    { GA_IS_PATTERN, "is_pattern" },
    { GA_CARRIES_STATE, "carries_state" },
};
enum { ABILITIES = sizeof abilities / sizeof *abilities };

static const char *const type_names[] = {
    [GA_PARAMETER_BOOL] = "bool", [GA_PARAMETER_INT] = "int",           [GA_PARAMETER_REAL] = "float",
    [GA_PARAMETER_WORD] = "word", [GA_PARAMETER_INT_LIST] = "int list", [GA_PARAMETER_TEXT] = "string",
};

int variants_check(session *s)
{
    writes(s, s->is.output);
    if (s->operand_count && s->is.cab) {
        return usage_error(s, "--cab takes no NAME");
    }
    return s->operand_count ? check_variant(s) : 0;
}

/* "a|b|c" of words, else the range. */
static void range_text(const ga_parameter *p, char *text, size_t size)
{
    snprintf(text, size, "%s", p->range ? p->range : "");
    for (int i = 0; p->type == GA_PARAMETER_WORD && p->words[i]; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? "|" : "", p->words[i]);
    }
}

/* ---- the capability matrix of CAB ---- */

static const char *word_or(const char *word, const char *otherwise)
{
    return word ? word : otherwise;
}

/* ---- tab-separated ---- */

static ga_status print_list(session *s, ga__output *out)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out, "#name\tfamily\tsummary\n"));
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        GA_TRY(ga__output_print(s->context, out, "%s\t%s\t%s\n", (*v)->name, (*v)->family, (*v)->summary));
    }
done:
    return status;
}

static ga_status print_cab(session *s, ga__output *out)
{
    static const char *const answers[] = { [GA_CAB_NO] = "0", [GA_CAB_YES] = "1", [GA_CAB_UNKNOWN] = "?" };
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out, "#name\tNS\tCS\tNC\tCC\tprefix\tunit\tcc_unit\n"));
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        ga_cab c = ga_variant_cab(*v);
        GA_TRY(ga__output_print(s->context, out, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", (*v)->name, c.self,
                                c.causal_self, c.cross, answers[c.causal_cross], word_or(c.prefix, "-"),
                                word_or(c.unit, "-"), word_or(c.cross_unit, "-")));
    }
done:
    return status;
}

static ga_status print_parameters(session *s, const ga_variant *v, ga__output *out)
{
    ga_status status = GA_OK;
    char range[256];
    for (const ga_parameter *p = v->parameters; p && p->name; p++) {
        range_text(p, range, sizeof range);
        GA_TRY(ga__output_print(s->context, out, "parameter\t%s\t%s\t%s\t%s\t%s\n", p->name,
                                type_names[p->type],
                                p->initial    ? p->initial
                                : p->required ? "required"
                                              : "",
                                range, p->help));
    }
    for (const ga_tensor_slot *t = v->tensors; t && t->name; t++) {
        GA_TRY(ga__output_print(s->context, out, "tensor\t%s\t%s\t%s\t%s\n", t->name, t->shape,
                                t->optional ? "optional" : "required", t->help));
    }
done:
    return status;
}

static ga_status print_one(session *s, const ga_variant *v, ga__output *out)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out,
                            "#name\tvalue\nname\t%s\nsummary\t%s\nsource\t%s\nfamily\t%s\nplan\t%s\n"
                            "outputs\t%s\n",
                            v->name, v->summary, v->source, v->family, v->plan, v->outputs));
    for (int i = 0; i < ABILITIES; i++) {
        GA_TRY(ga__output_print(s->context, out, "%s\t%d\n", abilities[i].name,
                                (v->can & abilities[i].bit) != 0));
    }
    status = print_parameters(s, v, out);
done:
    return status;
}

/* ---- JSON ---- */

/* NULL as null. */
static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *parameter_object(const ga_parameter *p)
{
    char range[256];
    range_text(p, range, sizeof range);
    return json_pack("{s:s, s:s, s:o, s:b, s:s, s:s}", "name", p->name, "type", type_names[p->type],
                     "default", text_or_null(p->initial), "required", p->required, "range", range, "meaning",
                     p->help);
}

static json_t *tensor_object(const ga_tensor_slot *t)
{
    return json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", t->name, "shape", t->shape, "optional", t->optional,
                     "differentiable", t->differentiable, "meaning", t->help);
}

static json_t *cab_object(const ga_variant *v)
{
    ga_cab c = ga_variant_cab(v);
    json_t *causal_cross =
        c.causal_cross == GA_CAB_UNKNOWN ? json_null() : json_boolean(c.causal_cross == GA_CAB_YES);
    return json_pack("{s:b, s:b, s:b, s:o, s:o, s:o, s:o}", "NS", c.self, "CS", c.causal_self, "NC", c.cross,
                     "CC", causal_cross, "prefix", text_or_null(c.prefix), "unit", text_or_null(c.unit),
                     "cc_unit", text_or_null(c.cross_unit));
}

/* A failed json call gives NULL, which the next one refuses: json_pack of it fails, and that is looked at. */
static json_t *variant_object(const ga_variant *v)
{
    json_t *parameters = json_array(), *tensors = json_array(), *can = json_object();
    bool good = true;
    for (const ga_parameter *p = v->parameters; p && p->name; p++) {
        good = json_array_append_new(parameters, parameter_object(p)) == 0 && good;
    }
    for (const ga_tensor_slot *t = v->tensors; t && t->name; t++) {
        good = json_array_append_new(tensors, tensor_object(t)) == 0 && good;
    }
    for (int i = 0; i < ABILITIES; i++) {
        good = json_object_set_new(can, abilities[i].name, json_boolean((v->can & abilities[i].bit) != 0)) ==
                   0 &&
               good;
    }
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name", v->name,
                               "summary", v->summary, "source", v->source, "family", v->family, "plan",
                               v->plan, "outputs", v->outputs, "parameters", parameters, "tensors", tensors,
                               "capabilities", can, "cab", cab_object(v));
    if (!good) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

/* One variant, the matrix, or everything. */
static ga_status print_json(session *s, const ga_variant *one, ga__output *out)
{
    ga_status status;
    bool good = true;
    char *text = NULL;
    json_t *value = one ? variant_object(one) : s->is.cab ? json_object() : json_array();
    for (const ga_variant *const *v = ga_variants(); !one && *v; v++) {
        int failed = s->is.cab ? json_object_set_new(value, (*v)->name, cab_object(*v))
                               : json_array_append_new(value, variant_object(*v));
        good = failed == 0 && good;
    }
    text = good && value ? json_dumps(value, JSON_INDENT(1)) : NULL;
    status = text ? ga__output_print(s->context, out, "%s\n", text)
                  : complain(s, GA_NOMEM, "no memory for the description");
    free(text);
    json_decref(value);
    return status;
}

ga_status variants_run(session *s)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    const char *at;
    const ga_variant *one = s->operand_count ? ga_variant_find(s->operands[0]) : NULL;
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &out));
    if (s->is.json) {
        GA_TRY(print_json(s, one, out));
    } else if (one) {
        GA_TRY(print_one(s, one, out));
    } else {
        GA_TRY(s->is.cab ? print_cab(s, out) : print_list(s, out));
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}
