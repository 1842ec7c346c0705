"""Length: does a clamp make a model's texts longer or shorter? (docs/mystudy.md)."""
