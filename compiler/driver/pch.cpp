// Builds the precompiled header of driver/pch.h.
