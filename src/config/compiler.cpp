// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/compiler.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "config/glob.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

constexpr std::string_view kOn = "shutdown.on";

std::vector<std::string_view> drain_triggers() {
    std::vector<std::string_view> names;
    for (const auto trigger :
         {Trigger::reboot, Trigger::poweroff, Trigger::halt, Trigger::kexec, Trigger::soft_reboot,
          Trigger::ups, Trigger::maintenance, Trigger::session_end, Trigger::manual})
        names.push_back(to_string(trigger));
    return names;
}

/// The keys that say whom a table is for.
std::vector<std::string_view> matcher_keys(TableKind kind) {
    switch (kind) {
        case TableKind::global:
            return {};
        case TableKind::uri:
            return {"uri"};
        case TableKind::guest:
            return {"name", "uuid", "uri", "tag"};
    }
    return {};
}

/// One table of the file and all that hangs below it.
class TableCompiler {
public:
    TableCompiler(Layer& layer, TableKind kind, Problems& problems)
        : layer_(layer), kind_(kind), problems_(problems) {}

    void run(const Table& table) { walk(table, ""); }

private:
    /// `prefix` is what was walked through, as in "boot.retry.".
    void walk(const Table& table, const std::string& prefix) {
        for (const auto& entry : table) {
            const auto path = prefix + entry.key;
            if (prefix.empty() && is_matcher(entry.key))
                match(entry);
            else if (path == kOn)
                on(entry);
            else if (const auto* key = find_key(kind_, path))
                assign(*key, entry, path, std::nullopt);
            else if (!names_below(kind_, path + '.').empty())
                group(entry, path);
            else
                unknown(entry, prefix, path);
        }
    }

    void group(const Entry& entry, const std::string& path) {
        if (const auto* table = entry.value.as<Table>())
            walk(*table, path + '.');
        else
            report(entry.value.place,
                   fmt::format("'{}' is {}; expected a table", path, shown(entry.value)));
    }

    /// shutdown.on: triggers, each with keys of [shutdown].
    void on(const Entry& entry) {
        const auto* triggers = entry.value.as<Table>();
        if (triggers == nullptr)
            return report(entry.value.place,
                          fmt::format("'{}' is {}; expected a table", kOn, shown(entry.value)));
        for (const auto& each : *triggers) {
            const auto trigger = parse_trigger(each.key);
            const auto* table = each.value.as<Table>();
            if (!trigger || *trigger == Trigger::host_boot)
                report(each.place, fmt::format("unknown trigger {}{}", in_quotes(each.key),
                                               suggestion(each.key, drain_triggers())));
            else if (table == nullptr)
                report(each.value.place, fmt::format("'{}.{}' is {}; expected a table", kOn,
                                                     each.key, shown(each.value)));
            else
                on_trigger(*table, *trigger);
        }
    }

    void on_trigger(const Table& table, Trigger trigger) {
        const std::string prefix = "shutdown.";
        for (const auto& entry : table) {
            if (const auto* key = find_key(kind_, prefix + entry.key))
                assign(*key, entry, prefix + entry.key, trigger);
            else
                unknown(entry, prefix, prefix + entry.key, trigger);
        }
    }

    void assign(const Key& key, const Entry& entry, const std::string& path,
                std::optional<Trigger> trigger) {
        const auto dot = path.rfind('.');
        const auto prefix = dot == std::string::npos ? std::string{} : path.substr(0, dot + 1);
        auto value =
            parse_value(layer_.file, key, entry.key, table_name(prefix, trigger), entry.value);
        if (value)
            layer_.assignments.push_back({&key, *std::move(value), trigger, entry.place});
        else
            problems_.push_back(value.error());
    }

    bool is_matcher(std::string_view key) const {
        const auto keys = matcher_keys(kind_);
        return std::ranges::find(keys, key) != keys.end();
    }

    void match(const Entry& entry) {
        auto& matcher = layer_.matcher;
        if (entry.key == "name")
            return match_names(entry);
        const auto* text = entry.value.as<std::string>();
        if (text == nullptr || text->empty())
            return report(entry.value.place,
                          fmt::format("'{}' in {} is {}; expected a text", entry.key,
                                      table_name("", {}), shown(entry.value)));
        if (entry.key == "uri")
            matcher.uri = *text;
        else if (entry.key == "tag")
            matcher.tag = *text;
        else if (!(matcher.uuid = Uuid::parse(*text)))
            report(entry.value.place,
                   fmt::format("'uuid' in [[guest]] is {}; expected 8-4-4-4-12 hexadecimal digits",
                               in_quotes(*text)));
        if (const auto fault = glob_error(matcher.uri); entry.key == "uri" && !fault.empty())
            report(entry.value.place, fmt::format("'uri' in {} is {}; {}", table_name("", {}),
                                                  in_quotes(*text), fault));
    }

    void match_names(const Entry& entry) {
        auto names = GlobCodec::parse(entry.value, {});
        if (names && !names->empty())
            layer_.matcher.names = *std::move(names);
        else
            report(names ? entry.value.place : names.error().place,
                   fmt::format("'name' in [[guest]] is {}; expected a name or a pattern, as in "
                               "\"db-*\"{}",
                               names ? shown(entry.value) : names.error().found,
                               names || names.error().reason.empty()
                                   ? ""
                                   : " (" + names.error().reason + ")"));
    }

    void unknown(const Entry& entry, const std::string& prefix, const std::string& path,
                 std::optional<Trigger> trigger = {}) {
        const auto where = table_name(prefix, trigger);
        if (const auto elsewhere = other_place(path); !elsewhere.empty())
            return report(entry.place,
                          fmt::format("'{}' cannot stand in {}: {}", entry.key, where, elsewhere));
        auto known = names_below(kind_, prefix);
        if (prefix.empty()) {
            std::ranges::move(matcher_keys(kind_), std::back_inserter(known));
            if (kind_ == TableKind::global)
                known.insert(known.end(), {"uri", "guest"});
        } else if (prefix == "shutdown." && !trigger) {
            known.push_back("on");
        }
        report(entry.place, fmt::format("unknown key {} in {}{}", in_quotes(entry.key), where,
                                        suggestion(entry.key, known)));
    }

    /// For a key that exists, but not here: where it belongs.
    std::string other_place(const std::string& path) const {
        if (kind_ == TableKind::guest && (path == "boot" || path.starts_with("boot.")))
            return "in [[guest]] it is spelled 'start'";
        if (kind_ != TableKind::guest && (path == "start" || path.starts_with("start.")))
            return "here it is spelled 'boot'";
        const auto* key = find_key_anywhere(path);
        if (key == nullptr)
            return path == "daemon" ? "it is the name of the global table [daemon]" : "";
        switch (key->scope) {
            case Scope::daemon:
                return "it belongs to [daemon]";
            case Scope::uri:
                return fmt::format(
                    "it holds for a whole URI; set {} in the global tables or in "
                    "[[uri]]",
                    key->name);
            case Scope::guest:
                return "";
            case Scope::guest_only:
                return "it belongs to a [[guest]] table";
        }
        return "";
    }

    std::string table_name(const std::string& prefix, std::optional<Trigger> trigger) const {
        auto inner = prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1);
        if (trigger)
            inner = fmt::format("{}.{}", kOn, to_string(*trigger));
        if (kind_ == TableKind::global)
            return inner.empty() ? "the file" : '[' + inner + ']';
        return (kind_ == TableKind::uri ? "[[uri]]" : "[[guest]]") +
               (inner.empty() ? "" : ' ' + inner);
    }

    void report(Place place, std::string message) {
        problems_.push_back({layer_.file, place.line, place.column, std::move(message)});
    }

    Layer& layer_;
    TableKind kind_;
    Problems& problems_;
};

/// "db-*", "uuid 1234...", "uri qemu:///system", "tag web".
std::string describe(const Matcher& matcher) {
    std::string text = fmt::format("{}", fmt::join(matcher.names, ", "));
    const auto add = [&](std::string_view what, const std::string& value) {
        if (!value.empty())
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, value);
    };
    add("uuid", matcher.uuid ? matcher.uuid->str() : "");
    add("uri", matcher.uri);
    add("tag", matcher.tag);
    return text;
}

bool is_empty(const Matcher& matcher) {
    return matcher.names.empty() && !matcher.uuid && matcher.uri.empty() && matcher.tag.empty();
}

void compile_tables(const std::string& file, const Entry& entry, TableKind kind,
                    std::vector<Layer>& layers, Problems& problems) {
    const auto* array = entry.value.as<Array>();
    const auto wrong = [&](Place place, std::string found) {
        problems.push_back(
            {file, place.line, place.column,
             fmt::format("'{0}' is {1}; expected tables, each under [[{0}]]", entry.key, found)});
    };
    if (array == nullptr)
        return wrong(entry.place, shown(entry.value));
    for (const auto& node : *array) {
        const auto* table = node.as<Table>();
        if (table == nullptr) {
            wrong(node.place, shown(node));
            continue;
        }
        Layer layer{kind == TableKind::uri ? Rank::uri : Rank::guest, {}, file, node.place, {}, {}};
        const auto before = problems.size();
        TableCompiler{layer, kind, problems}.run(*table);
        if (is_empty(layer.matcher) && problems.size() == before)
            problems.push_back({file, node.place.line, node.place.column,
                                kind == TableKind::uri
                                    ? "a [[uri]] table needs 'uri'"
                                    : "a [[guest]] table needs 'name', 'uuid', 'uri' or 'tag'"});
        layer.name = kind == TableKind::uri ? "[[uri]] " + layer.matcher.uri
                                            : "[[guest]] " + describe(layer.matcher);
        layers.push_back(std::move(layer));
    }
}

}  // namespace

tl::expected<Value, Problem> parse_value(const std::string& file, const Key& key,
                                         const std::string& spelled, const std::string& table,
                                         const Node& node) {
    auto value = key.parse(node, key.limits);
    if (value)
        return *std::move(value);
    const auto& complaint = value.error();
    auto message = fmt::format("'{}' in {} is {}; expected {}", spelled, table, complaint.found,
                               key.allowed(key.limits));
    if (!complaint.reason.empty())
        message += fmt::format(" ({})", complaint.reason);
    return tl::unexpected{
        Problem{file, complaint.place.line, complaint.place.column, std::move(message)}};
}

std::vector<Layer> compile_toml(const std::string& file, const Table& root, Problems& problems) {
    std::vector<Layer> layers;
    Table global;
    std::vector<Layer> tables;
    for (const auto& entry : root) {
        if (entry.key == "uri")
            compile_tables(file, entry, TableKind::uri, tables, problems);
        else if (entry.key == "guest")
            compile_tables(file, entry, TableKind::guest, tables, problems);
        else
            global.push_back(entry);
    }
    layers.push_back({Rank::global, {}, file, {}, {}, {}});
    TableCompiler{layers.back(), TableKind::global, problems}.run(global);
    std::ranges::move(tables, std::back_inserter(layers));
    return layers;
}

}  // namespace guestd::config
