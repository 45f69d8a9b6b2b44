// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The one table of settings. Everything that reads, merges, checks, shows or explains
/// configuration walks it: a setting that is here works everywhere, one that is not exists nowhere.

#include <any>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/codec.hpp"
#include "guestd/policy.hpp"

namespace guestd::config {

/// What a setting holds for, and so in which tables it may stand.
enum class Scope {
    daemon,      ///< [daemon]
    uri,         ///< [boot], [shutdown], [[uri]]
    guest,       ///< the same, [[guest]], metadata
    guest_only,  ///< [[guest]], metadata
};

/// The kinds of tables, which differ in what is allowed and in how it is spelled: where a guest is
/// spoken of, "boot." is "start.".
enum class TableKind { global, uri, guest };

/// Where values go. A null pointer: nobody asks for that part.
struct Targets {
    DaemonPolicy* daemon = nullptr;
    UriPolicy* uri = nullptr;
    GuestPolicy* guest = nullptr;
};

/// A parsed value; which type it has is its key's affair.
using Value = std::any;

struct Key {
    std::string_view name;  ///< as in the global tables: "boot.retry.attempts"
    Scope scope;
    std::string_view help;
    Limits limits;
    Shape shape;
    Parsed<Value> (*parse)(const Node&, const Limits&);
    std::string (*allowed)(const Limits&);
    std::string (*format)(const Value&);          ///< as TOML
    void (*apply)(const Value&, const Targets&);  ///< does nothing for a null target
    Value (*read)(const Targets&);                ///< the target must be there
};

std::span<const Key> all_keys();

/// How the key is spelled in such a table.
std::string spelling(const Key& key, TableKind kind);

/// nullptr: no such key, or not in such a table.
const Key* find_key(TableKind kind, std::string_view spelled);
/// Whatever its scope; for telling people where a key belongs.
const Key* find_key_anywhere(std::string_view spelled);

/// Names directly below `prefix` ("" or "boot." ...) in such a table: keys and sub-tables.
std::vector<std::string_view> names_below(TableKind kind, std::string_view prefix);

}  // namespace guestd::config
