// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Errors.
///
/// Two kinds. A *condition* is something the caller must handle: it is part of the return type and
/// of its documentation (an enumerator, an empty optional). A *fault* is everything else: it is
/// never matched on, only enriched with context on its way up and logged once, by the daemon.
/// `Error` carries faults. Bugs are asserts.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace guestd {

enum class ErrorCode {
    invalid,      ///< bad input: configuration, argument
    unavailable,  ///< the other side is not there (now)
    io,           ///< disk or socket
    corrupt,      ///< data that is there and cannot be trusted
    refused,      ///< the other side said no
    internal,
};

class [[nodiscard]] Error {
public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

    ErrorCode code() const { return code_; }
    const std::string& message() const { return message_; }

    /// The same error, told from one level further out: "reading /etc/x: no such file".
    Error with_context(std::string_view context) const {
        return Error{code_, std::string{context} + ": " + message_};
    }

private:
    ErrorCode code_;
    std::string message_;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
    return tl::unexpected<Error>{Error{code, std::move(message)}};
}

}  // namespace guestd
