"""Problems with exact answers: families of each type, each in one split, in five levels."""
