"""What this project is measured with: beside its peers, as it grows, at rest."""
