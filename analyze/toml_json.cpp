/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only C++ here: Debian's TOML parser of today is toml++. Nothing of it leaves this file,
 * exceptions least of all.
 */
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <string>

#include <jansson.h>

#include "toml_json.h"

namespace
{

struct refusal {
    const char *why;
    toml::source_position at;
};

/* Owns a reference until it is given away. */
class value
{
  public:
    explicit value(json_t *json) : json_(json)
    {
        if (!json_)
            throw std::bad_alloc();
    }
    value(const value &) = delete;
    value &operator=(const value &) = delete;
    ~value()
    {
        json_decref(json_);
    }
    json_t *get() const
    {
        return json_;
    }
    json_t *release()
    {
        json_t *json = json_;
        json_ = nullptr;
        return json;
    }

  private:
    json_t *json_;
};

json_t *convert(const toml::node &node);

json_t *convert_text(const std::string &text, toml::source_position at)
{
    if (text.find('\0') != std::string::npos)
        throw refusal{ "a text with a NUL in it", at };
    return json_stringn(text.data(), text.size());
}

json_t *convert_table(const toml::table &table)
{
    value object(json_object());
    for (const auto &[key, node] : table) {
        if (key.str().find('\0') != std::string_view::npos)
            throw refusal{ "a key with a NUL in it", node.source().begin };
        value member(convert(node));
        if (json_object_set(object.get(), std::string(key.str()).c_str(), member.get()) != 0)
            throw std::bad_alloc();
    }
    return object.release();
}

json_t *convert_array(const toml::array &array)
{
    value list(json_array());
    for (const auto &node : array) {
        value element(convert(node));
        if (json_array_append(list.get(), element.get()) != 0)
            throw std::bad_alloc();
    }
    return list.release();
}

json_t *convert(const toml::node &node)
{
    const toml::source_position at = node.source().begin;
    switch (node.type()) {
    case toml::node_type::table: return convert_table(*node.as_table());
    case toml::node_type::array: return convert_array(*node.as_array());
    case toml::node_type::string: return convert_text(node.as_string()->get(), at);
    case toml::node_type::integer: return json_integer(node.as_integer()->get());
    case toml::node_type::boolean: return json_boolean(node.as_boolean()->get());
    case toml::node_type::floating_point:
        if (!std::isfinite(node.as_floating_point()->get()))
            throw refusal{ "a number that is not finite", at };
        return json_real(node.as_floating_point()->get());
    default: throw refusal{ "a date or time", at };
    }
}

/*
 * toml++ bounds nested values, but a dotted key may be as deep as its line is long, and tables are
 * freed by recursion.
 */
const std::size_t dots_max = 100;

void check_depth(std::string_view text)
{
    toml::source_index line = 1;
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find('\n'));
        const std::size_t start = one.find_first_not_of(" \t");
        const bool comment = start != one.npos && one[start] == '#';
        if (!comment &&
            static_cast<std::size_t>(std::count(one.begin(), one.end(), '.')) > dots_max)
            throw refusal{ "a line with more than 100 dots", { line, 1 } };
        text.remove_prefix(std::min(one.size() + 1, text.size()));
        line++;
    }
}

int refuse(struct fl_err *err, const char *name, toml::source_position at, const char *why)
{
    return fl_fail(err, FL_EUSAGE, "%s:%u:%u: %s", name, static_cast<unsigned>(at.line),
                   static_cast<unsigned>(at.column), why);
}

} // namespace

extern "C" int toml_json_parse(const char *text, size_t len_bytes, const char *name, json_t **out,
                               struct fl_err *err)
{
    try {
        check_depth(std::string_view(text, len_bytes));
        const toml::table table = toml::parse(std::string_view(text, len_bytes));
        *out = convert_table(table);
        return FL_OK;
    } catch (const toml::parse_error &e) {
        return refuse(err, name, e.source().begin, e.what());
    } catch (const refusal &e) {
        return refuse(err, name, e.at, (std::string(e.why) + " has no place here").c_str());
    } catch (const std::bad_alloc &) {
        return fl_nomem(err, name);
    } catch (const std::exception &e) {
        return fl_fail(err, FL_EUSAGE, "%s: %s", name, e.what());
    }
}
