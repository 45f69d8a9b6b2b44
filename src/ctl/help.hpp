// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// What the command line parser tells people: help that breaks between words, and complaints that
/// name the word at fault and the one that was likely meant.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace guestd::ctl {

/// As wide as the terminal. An option shows its option_text(), if it has one, as its value.
std::shared_ptr<CLI::FormatterBase> help_formatter();

/// For CLI::App::failure_message.
std::string usage_complaint(const CLI::App* app, const CLI::Error& error);

}  // namespace guestd::ctl
