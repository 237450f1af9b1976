package blogdb

import (
	"context"
	"database/sql"
)

// Profile is what a user says of themselves. Username is for life.
type Profile struct {
	UserID   int64  `json:"user_id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Bio      string `json:"bio"`
	Location string `json:"location"`
	Website  string `json:"website"`
}

// ProfileChange says what to change about a profile; nil leaves a field as it
// is.
type ProfileChange struct {
	Name     *string `json:"name"`
	Email    *string `json:"email"`
	Bio      *string `json:"bio"`
	Location *string `json:"location"`
	Website  *string `json:"website"`
}

// Place is a department that a user works in.
type Place struct {
	OrgID  int64
	DeptID int64
}

// Member is a user as others refer to them: what their writes affect.
type Member struct {
	Username string
	Places   []Place
}

// Department lists who works in one department.
type Department struct {
	OrgID        int64      `json:"org_id"`
	Organization string     `json:"organization"`
	DeptID       int64      `json:"dept_id"`
	Department   string     `json:"department"`
	Employees    []Employee `json:"employees"`
}

// Employee is one user in a department.
type Employee struct {
	UserID   int64  `json:"user_id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Role     string `json:"role"`
}

// Country is one row of the static list.
type Country struct {
	Code    string `json:"code"` // ISO 3166-1 alpha-2
	Name    string `json:"name"`
	Capital string `json:"capital"`
	Region  string `json:"region"`
}

// Profile returns the profile of user id.
func (d *DB) Profile(ctx context.Context, id int64) (p Profile, err error) {
	err = d.reading(ctx, func(tx *sql.Tx) error {
		p, err = profile(ctx, tx, id)
		return err
	})
	return p, err
}

func profile(ctx context.Context, tx *sql.Tx, id int64) (p Profile, err error) {
	const query = `SELECT id, username, name, email, bio, location, website FROM users WHERE id = ?`
	row := tx.QueryRowContext(ctx, query, id)
	err = row.Scan(&p.UserID, &p.Username, &p.Name, &p.Email, &p.Bio, &p.Location, &p.Website)
	return p, found(err, "user")
}

// ChangeProfile changes the profile of user id and returns it as it is
// afterwards.
func (d *DB) ChangeProfile(ctx context.Context, id int64, c ProfileChange) (p Profile, err error) {
	const statement = `UPDATE users SET name = coalesce(?, name), email = coalesce(?, email), bio = coalesce(?, bio),
		location = coalesce(?, location), website = coalesce(?, website) WHERE id = ?`
	err = d.writing(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, statement, c.Name, c.Email, c.Bio, c.Location, c.Website, id); err != nil {
			return err
		}
		p, err = profile(ctx, tx, id)
		return err
	})
	return p, err
}

// Member returns where user id appears.
func (d *DB) Member(ctx context.Context, id int64) (m Member, err error) {
	const places = `SELECT org_id, dept_id FROM employees WHERE user_id = ? ORDER BY org_id, dept_id`
	err = d.reading(ctx, func(tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, `SELECT username FROM users WHERE id = ?`, id)
		if err := row.Scan(&m.Username); err != nil {
			return found(err, "user")
		}
		rows, err := tx.QueryContext(ctx, places, id)
		m.Places, err = collect(rows, err, func(r *sql.Rows, p *Place) error {
			return r.Scan(&p.OrgID, &p.DeptID)
		})
		return err
	})
	return m, err
}

// Department returns department deptID of organization orgID.
func (d *DB) Department(ctx context.Context, orgID, deptID int64) (dept Department, err error) {
	const header = `SELECT o.id, o.name, d.id, d.name FROM departments d JOIN organizations o ON o.id = d.org_id
		WHERE d.org_id = ? AND d.id = ?`
	const employees = `SELECT u.id, u.username, u.name, u.email, e.role FROM employees e JOIN users u ON u.id = e.user_id
		WHERE e.org_id = ? AND e.dept_id = ? ORDER BY u.id`
	err = d.reading(ctx, func(tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, header, orgID, deptID)
		if err := row.Scan(&dept.OrgID, &dept.Organization, &dept.DeptID, &dept.Department); err != nil {
			return found(err, "department")
		}
		rows, err := tx.QueryContext(ctx, employees, orgID, deptID)
		dept.Employees, err = collect(rows, err, func(r *sql.Rows, e *Employee) error {
			return r.Scan(&e.UserID, &e.Username, &e.Name, &e.Email, &e.Role)
		})
		return err
	})
	return dept, err
}

// Countries returns all countries by name.
func (d *DB) Countries(ctx context.Context) (list []Country, err error) {
	err = d.reading(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT code, name, capital, region FROM countries ORDER BY name`)
		list, err = collect(rows, err, func(r *sql.Rows, c *Country) error {
			return r.Scan(&c.Code, &c.Name, &c.Capital, &c.Region)
		})
		return err
	})
	return list, err
}
