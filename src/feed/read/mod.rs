//! What producers POST.
