// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Codec of settings that are one word out of a few: an enumeration and its spelling.

#include <algorithm>
#include <array>

#include "config/codec.hpp"
#include "config/text.hpp"

namespace guestd::config {

template <class E>
struct Word {
    std::string_view text;
    E value;
};

/// The spelling of E, in the order in which people are told.
template <class E>
inline constexpr std::array<Word<E>, 0> kWords{};

template <>
inline constexpr auto kWords<OnStop> = std::to_array<Word<OnStop>>({{"auto", OnStop::automatic},
                                                                    {"drain", OnStop::drain},
                                                                    {"leave", OnStop::leave}});
template <>
inline constexpr auto kWords<Tier> = std::to_array<Word<Tier>>({{"critical", Tier::critical},
                                                                {"normal", Tier::normal},
                                                                {"expendable", Tier::expendable}});
template <>
inline constexpr auto kWords<StartChoice> =
    std::to_array<Word<StartChoice>>({{"auto", StartChoice::automatic},
                                      {"always", StartChoice::always},
                                      {"never", StartChoice::never}});
template <>
inline constexpr auto kWords<AutostartMode> = std::to_array<Word<AutostartMode>>(
    {{"throttle", AutostartMode::throttle}, {"leave", AutostartMode::leave}});
template <>
inline constexpr auto kWords<OnReadyTimeout> = std::to_array<Word<OnReadyTimeout>>(
    {{"continue", OnReadyTimeout::proceed}, {"fail", OnReadyTimeout::fail}});
template <>
inline constexpr auto kWords<RestoreFailure> = std::to_array<Word<RestoreFailure>>(
    {{"hold", RestoreFailure::hold}, {"cold-boot", RestoreFailure::cold_boot}});
template <>
inline constexpr auto kWords<PendingConfig> = std::to_array<Word<PendingConfig>>(
    {{"resume", PendingConfig::resume}, {"cold-boot", PendingConfig::cold_boot}});
template <>
inline constexpr auto kWords<TransientRule> =
    std::to_array<Word<TransientRule>>({{"shutdown", TransientRule::shutdown},
                                        {"destroy", TransientRule::destroy},
                                        {"leave", TransientRule::leave}});
template <>
inline constexpr auto kWords<PausedRule> =
    std::to_array<Word<PausedRule>>({{"save", PausedRule::save},
                                     {"resume", PausedRule::resume},
                                     {"destroy", PausedRule::destroy},
                                     {"leave", PausedRule::leave}});

template <class E>
struct Choice {
    using type = E;
    static constexpr Shape shape = Shape::text;

    static Parsed<E> parse(const Node& node, const Limits&) {
        const auto* text = node.as<std::string>();
        if (text == nullptr)
            return tl::unexpected{Complaint{node.place, shown(node), {}}};
        const auto word = std::ranges::find(kWords<E>, *text, &Word<E>::text);
        if (word == kWords<E>.end())
            return tl::unexpected{Complaint{node.place, shown(node), near_miss(*text)}};
        return word->value;
    }

    static std::string format(E value) {
        const auto word = std::ranges::find(kWords<E>, value, &Word<E>::value);
        return toml_string(word->text);
    }

    static std::string allowed(const Limits&) { return alternatives(texts()); }

private:
    static std::vector<std::string_view> texts() {
        std::vector<std::string_view> texts;
        texts.reserve(std::size(kWords<E>));
        for (const auto& word : kWords<E>)
            texts.push_back(word.text);
        return texts;
    }

    static std::string near_miss(std::string_view text) {
        const auto near = nearest(text, texts());
        return near.empty() ? "" : "did you mean \"" + std::string{near} + "\"?";
    }
};

}  // namespace guestd::config
