// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>

#include "config/compiler.hpp"
#include "config/text.hpp"

namespace guestd::config {
namespace {

constexpr std::string_view kOn = "shutdown.on.";

/// libvirt hands the element out with or without its prefix, depending on how it was set.
std::string_view local_name(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    const auto colon = name.find(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

/// Text without types -> the Node that the key's parser expects.
Node typed(Shape shape, std::string_view text, Place place) {
    Node node{std::string{text}, place};
    switch (shape) {
        case Shape::text:
            break;
        case Shape::boolean:
            if (text == "true" || text == "false")
                node.data = text == "true";
            break;
        case Shape::number: {
            std::int64_t number = 0;
            const auto* end = text.data() + text.size();
            const auto parsed = std::from_chars(text.data(), end, number);
            if (parsed.ec == std::errc{} && parsed.ptr == end)
                node.data = number;
            break;
        }
        case Shape::list: {
            Array array;
            for (const auto piece : split(text, ';'))
                if (!piece.empty())
                    array.push_back({std::string{piece}, place});
            node.data = std::move(array);
            break;
        }
    }
    return node;
}

/// Steps, probes and needs that a guest's owner may not choose: they would have guestd run, send,
/// connect or look for him, as root and in the host's network.
bool reaches_out(std::string_view text) {
    constexpr std::string_view kTcp = "tcp:";
    return text.starts_with("exec:") || text.starts_with("migrate:") || text.starts_with("path:") ||
           (text.starts_with(kTcp) && text.find(':', kTcp.size()) != std::string_view::npos);
}

bool reaches_out(const Node& node) {
    const auto* array = node.as<Array>();
    return array != nullptr && std::ranges::any_of(*array, [](const Node& element) {
               const auto* text = element.as<std::string>();
               return text != nullptr && reaches_out(*text);
           });
}

class Reader {
public:
    explicit Reader(const std::string& xml) : xml_(xml) {
        found_.layer.rank = Rank::metadata;
        found_.layer.name = "metadata";
    }

    Metadata run() {
        if (xml_.size() > kLargestMetadata) {
            report({1, 1}, fmt::format("metadata of more than {} bytes is ignored as a whole",
                                       kLargestMetadata));
            return std::move(found_);
        }
        pugi::xml_document document;
        const auto parsed = document.load_buffer(xml_.data(), xml_.size());
        if (!parsed) {
            report(place(parsed.offset), fmt::format("no XML: {}", parsed.description()));
            return std::move(found_);
        }
        // libvirt hands out the element; somebody may have kept only what is inside.
        const auto root = document.document_element();
        for (const auto& child :
             local_name(root) == "policy" ? root.children() : document.children())
            if (found_.problems.size() < kMostProblems)
                element(child);
        return std::move(found_);
    }

private:
    void element(const pugi::xml_node& node) {
        if (node.type() != pugi::node_element)
            return;
        if (local_name(node) == "tag")
            found_.tags.emplace_back(trim(node.text().get()));
        else if (local_name(node) == "set")
            set(node);
        else
            report(place(node.offset_debug()),
                   fmt::format("element {}; expected 'set' or 'tag'", in_quotes(local_name(node))));
    }

    void set(const pugi::xml_node& node) {
        const auto at = place(node.offset_debug());
        const std::string_view spelled = trim(node.attribute("key").value());
        std::optional<Trigger> trigger;
        std::string name{spelled};
        if (spelled.starts_with(kOn)) {
            const auto rest = spelled.substr(kOn.size());
            const auto dot = std::min(rest.find('.'), rest.size());
            trigger = parse_trigger(rest.substr(0, dot));
            if (!trigger || *trigger == Trigger::host_boot)
                return report(at, fmt::format("unknown trigger in key {}", in_quotes(spelled)));
            name = "shutdown" + std::string{rest.substr(dot)};
        }
        const auto* key = find_key(TableKind::guest, name);
        if (key == nullptr)
            return report(at, fmt::format("unknown key {}{}", in_quotes(spelled), near_key(name)));
        const auto text = trim(node.attribute("value").value());
        const auto value = typed(key->shape, text, at);
        if (reaches_out(value))
            return report(at, fmt::format("'{}' is {}; exec:, migrate:, path: and a host in tcp: "
                                          "are not allowed in metadata",
                                          spelled, in_quotes(text)));
        auto parsed = parse_value({}, *key, std::string{spelled}, "metadata", value);
        if (parsed)
            found_.layer.assignments.push_back({key, *std::move(parsed), trigger, at});
        else
            report(at, parsed.error().message);
    }

    static std::string near_key(std::string_view name) {
        std::vector<std::string> known;
        for (const auto& key : all_keys())
            if (auto spelled = spelling(key, TableKind::guest);
                find_key(TableKind::guest, spelled) != nullptr)
                known.push_back(std::move(spelled));
        const std::vector<std::string_view> views{known.begin(), known.end()};
        const auto near = nearest(name, views);
        return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
    }

    /// Offsets come in the order of the text: each byte is counted once, however many elements.
    Place place(std::ptrdiff_t offset) {
        const auto end =
            std::min(static_cast<std::size_t>(std::max<std::ptrdiff_t>(offset, 0)), xml_.size());
        for (; counted_ < end; ++counted_) {
            place_.column = xml_[counted_] == '\n' ? 1 : place_.column + 1;
            place_.line += xml_[counted_] == '\n' ? 1 : 0;
        }
        return place_;
    }

    void report(Place at, std::string message) {
        found_.problems.push_back({"metadata", at.line, at.column, std::move(message)});
    }

    const std::string& xml_;
    Metadata found_;
    Place place_{1, 1};
    std::size_t counted_ = 0;
};

}  // namespace

Metadata parse_metadata(const std::string& xml) {
    return Reader{xml}.run();
}

}  // namespace guestd::config
